# ruff: noqa: E501
"""Invented names for the simulated company. Any likeness to real people is chance."""

SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
GIVEN = (
    "子墨 雨桐 浩然 思远 欣怡 明哲 婉清 嘉树 若溪 景行 晓彤 天佑 静姝 博文 语嫣 云帆 佳宁 书瑶 志远 梦洁 "
    "建国 秀英 志强 丽华 文博 晨曦 可馨 俊熙 一诺 诗涵 宇轩 芷若 伟 芳 娜 敏 磊 洋 艳 勇 杰 娟 涛 超 霞 平 刚 桂英"
).split()
FOREIGN = (
    "Anna Kowalski|Ben Okafor|Carla Mendes|David Lindqvist|Emi Tanaka|Farid Haddad|Grace Mwangi|Henrik Sørensen|"
    "Ines Duarte|Jonas Weber|Kim Ji-woo|Lucía Fernández|Mei Ling Tan|Noah O'Brien|Olga Petrova|Priya Raman"
).split("|")
PLACES = (
    "梧桐 银杏 香樟 玉兰 海棠 丹桂 青松 翠竹 红枫 白桦 云杉 水杉 紫藤 腊梅 芙蓉 牡丹 泰山 华山 衡山 恒山 嵩山 黄山 庐山 雁荡 "
    "峨眉 武夷 天山 昆仑 长江 黄河 珠江 淮河 漓江 钱塘 洞庭 鄱阳 太湖 西湖 青海 滇池 敦煌 楼兰 大理 丽江 平遥 徽州 凤凰 乌镇 "
    "北斗 天枢 天璇 天玑 天权 玉衡 开阳 摇光 启明 长庚 织女 牵牛 参宿 心宿 角宿 房宿"
).split()
TEAMS = (
    "研发一部 研发二部 平台组 数据组 测试组 产品部 设计部 华东销售 华南销售 华北销售 海外市场 客户成功 财务部 人力资源 法务部 "
    "采购部 供应链 运维组 安全组 市场部 品牌组 培训中心 总裁办 质量部 售前支持 生产一线 物流部 信息化 内审部 战略部"
).split()
WEEKLY = (
    "周例会",
    "项目评审",
    "需求评审",
    "复盘会",
    "销售周会",
    "成本分析会",
    "Sprint planning",
    "Roadmap sync",
    "质量例会",
)
DAILY = ("每日站会", "晨会", "Daily stand-up", "早间调度")
SINGLE = (
    "客户演示",
    "候选人面试",
    "方案讨论",
    "合同谈判",
    "供应商沟通",
    "新员工培训",
    "故障复盘",
    "版本发布",
    "预算讨论",
    "Design review",
    "1:1",
    "Kick-off",
    "产品路演",
    "渠道沟通",
    "现场支持",
    "季度总结",
)
LARGE = ("全员大会", "技术公开课", "季度经营分析会", "安全生产培训", "All hands")
OPERATIONS = "运维组"
SHIFT = ("值班交接", "变更窗口", "告警处理", "夜间发布", "NOC handover")
NASTY = (
    '=HYPERLINK("http://example.invalid","点我")',
    "+86 电话会",
    "@所有人 紧急会议",
    "<b>重要</b> & <i>紧急</i>",
    "<script>alert(1)</script>",
    "🚀 发布会 🎉",
    '引号"与,逗号',
    "-- 临时",
    "很长的主题 " + "关于年度预算与跨部门协同机制的第三次讨论" * 8,
    "  前后有空格  ",
)
DEVICES = ("的 iPhone", "的iPad", " (手机)", "-PC")
